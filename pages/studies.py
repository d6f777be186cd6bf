"""Studies: questions that the paper leaves open, each launched by one click and read in words."""

from app.report import downloads
from app.studies import view
from app.studies.terms import TERMS
from app.ui import components

components.header("Studies", "study", "phase", "forgetting", "backward transfer", "forward transfer", "SPoT", "seed",
                  "95% t-interval", "PT", "MST", "MPT", "SPP", "SCP", own=TERMS)
view.view(downloads.bar)
