"""What the exchange publishes to everybody: code lists, schemas. No token is needed, and nothing here is about a person."""
