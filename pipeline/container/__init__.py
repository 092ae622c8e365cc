"""The image that organisers receive: built, run as each of them runs it, and packed."""
