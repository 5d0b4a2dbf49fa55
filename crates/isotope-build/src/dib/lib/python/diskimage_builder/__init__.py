"""What programs of elements import from diskimage-builder; Isotope's own."""
