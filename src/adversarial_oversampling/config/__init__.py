"""The configuration: composition, checks, identity, and the catalogue of modes and datasets.

Importing any part of this package registers the resolvers that the YAML files use.
"""

from adversarial_oversampling.config.resolvers import register

register()
