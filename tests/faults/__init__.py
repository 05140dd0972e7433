"""What happens when parts break."""
