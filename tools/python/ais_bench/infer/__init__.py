"""Session classes under the names that scripts import."""
