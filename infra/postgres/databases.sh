#!/usr/bin/env bash
# Runs once, in an empty PostgreSQL: a database and a role for MLflow, and the same for Optuna.
# They cannot share one, because both own a table `alembic_version`.
set -euo pipefail

create() { # name, variable with the password
    psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --set=name="$1" <<SQL
\\getenv password $2
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}

create mlflow MLFLOW_DB_PASSWORD
create optuna OPTUNA_DB_PASSWORD
