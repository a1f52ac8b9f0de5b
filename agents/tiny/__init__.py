"""The bundled small model and the script that made it; transformers loads its folder."""
