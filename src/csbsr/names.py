"""Names that words on a command line may mean; a leaf that imports nothing."""

#: Weights that come with the package.
SHIPPED = ("lite",)
