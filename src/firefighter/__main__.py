"""`python -m firefighter` is the `firefighter` command."""

from firefighter.cli.main import main

raise SystemExit(main())
