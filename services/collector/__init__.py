"""The collector: reads what the executor left in the media store, joins, verifies, delivers."""
