"""``python -m srenv`` is the console command ``srenv``."""

from srenv.commands.main import main

if __name__ == "__main__":
    main()
