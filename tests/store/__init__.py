"""The database: connections, migrations, damage."""
