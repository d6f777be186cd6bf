"""``python -m compt_core …``: see compt_core.cli."""

from compt_core.cli import main

raise SystemExit(main())
