"""The demonstration: the sample cases, played over real HTTP from first contact."""
