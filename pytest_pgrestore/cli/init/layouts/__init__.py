"""Layouts of operators and services: what each leaves where, for `pgrestore init --from`."""
