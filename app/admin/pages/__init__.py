"""The pages at which people sign in: no style, script or font comes from elsewhere, and none is written into a page."""
