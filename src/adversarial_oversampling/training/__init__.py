"""From a composed configuration to a written result."""
