"""The shared schema as documents: JSON Schema and pages made from the models, and what a later version may change."""
