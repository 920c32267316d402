"""The trainers: the only modules that import TensorFlow; only workers import them."""
