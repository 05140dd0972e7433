"""What tests stand on: real servers, media and examples. Imports no test."""
