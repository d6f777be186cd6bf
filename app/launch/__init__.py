"""The page Launch: its form, its links, and how a person brings data of their own."""
