"""The page Launch: its form, its links, and how visitors bring their own data."""
