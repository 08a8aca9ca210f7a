//! Reads a CSV or YAML manifest into rows with their places; judges nothing.
