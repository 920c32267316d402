"""Where the experiments' data come from: found, fetched, verified, prepared."""
