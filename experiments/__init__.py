"""The three built-in experiments: autoencoder, denoising, lstm."""
