"""What takes more than passing a request on."""
