"""`python -m mixfront.cli`: how a cluster job calls the command line."""

from mixfront.cli.app import main

main()
