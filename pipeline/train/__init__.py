"""Training from the command line: data, validation, pictures, loss landscapes."""
