"""Every class of SQLSTATE has a decision: the backup, the statement, or this run."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from pytest_pgrestore.model.sqlstate import CLASSES, Blame, blame_of, is_own_mistake


def known_states() -> dict[str, str]:
    """Return the names of all errors of PostgreSQL's list, as psycopg has it, by SQLSTATE."""
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    return {
        kind.sqlstate: kind.__name__
        for kind in kinds
        if issubclass(kind, psycopg.Error) and kind.sqlstate
    }


def test_no_class_is_without_a_decision() -> None:
    """A class that PostgreSQL adds must be decided, and not be a finding by chance."""
    found = {state[:2] for state in known_states()}

    assert len(known_states()) > 200
    assert found <= set(CLASSES)


MISTAKES = """
    SyntaxError DivisionByZero UndefinedParameter IndeterminateDatatype DatatypeMismatch
    GroupingError AmbiguousColumn DuplicateAlias AmbiguousParameter CannotCoerce WindowingError
    InvalidColumnReference AmbiguousFunction InvalidRegularExpression InvalidEscapeSequence
    InvalidArgumentForLogarithm FeatureNotSupported ReadOnlySqlTransaction InFailedSqlTransaction
    InvalidCursorName InvalidSqlStatementName StatementTooComplex WrongObjectType
    CollationMismatch InvalidRecursion InvalidSavepointSpecification DuplicateCursor
"""
HERE = """
    QueryCanceled AdminShutdown CrashShutdown CannotConnectNow DatabaseDropped IdleSessionTimeout
    DiskFull OutOfMemory TooManyConnections ConfigurationLimitExceeded IoError SystemError
    DeadlockDetected SerializationFailure LockNotAvailable ObjectInUse ObjectNotInPrerequisiteState
    ConnectionException ConnectionFailure ProtocolViolation InvalidPassword SnapshotTooOld
    ConfigFileError FdwError FdwUnableToCreateExecution
"""
BACKUP = """
    UndefinedTable UndefinedColumn UndefinedFunction UndefinedObject InvalidSchemaName
    InvalidCatalogName InsufficientPrivilege InvalidTextRepresentation NumericValueOutOfRange
    StringDataRightTruncation InvalidDatetimeFormat CardinalityViolation UniqueViolation
    ForeignKeyViolation CheckViolation NotNullViolation ExclusionViolation RaiseException
    NoDataFound TooManyRows AssertFailure DataCorrupted IndexCorrupted InternalError_ CaseNotFound
    InvalidParameterValue InvalidRoleSpecification WithCheckOptionViolation DuplicateTable
    ExternalRoutineException CharacterNotInRepertoire InvalidJsonText
"""


@pytest.mark.parametrize(
    ("name", "blame"),
    [
        *((name, Blame.MISTAKE) for name in MISTAKES.split()),
        *((name, Blame.HERE) for name in HERE.split()),
        *((name, Blame.BACKUP) for name in BACKUP.split()),
    ],
)
def test_an_error_is_blamed_on_the_right_one(name: str, blame: Blame) -> None:
    """A deadlock is no bad backup, a missing table is, and a syntax error is neither."""
    state = getattr(errors, name).sqlstate

    assert blame_of(state, "some words") is blame
    assert is_own_mistake(state, "some words") is (blame is Blame.MISTAKE)


@pytest.mark.parametrize(
    ("state", "message", "blame"),
    [
        ("42883", "operator does not exist: bigint = text", Blame.MISTAKE),
        ("42883", "function f() does not exist", Blame.BACKUP),
        ("42P01", 'missing FROM-clause entry for table "o"', Blame.MISTAKE),
        ("42P01", 'relation "o" does not exist', Blame.BACKUP),
        ("42P10", "position 5 is not in select list", Blame.MISTAKE),
        ("42P10", "there is no unique or exclusion constraint matching", Blame.BACKUP),
        ("22023", 'role "erp_app" does not exist', Blame.BACKUP),
        ("22023", 'invalid value for parameter "work_mem": "x"', Blame.MISTAKE),
        ("28000", 'role "erp_app" does not exist', Blame.BACKUP),
        ("28000", "no pg_hba.conf entry for host", Blame.HERE),
        ("55000", 'materialized view "m" has not been populated', Blame.BACKUP),
        ("55000", "pg_stat_statements must be loaded", Blame.HERE),
        ("ZZ123", "raised by a function", Blame.BACKUP),
        ("", "the connection broke", Blame.HERE),
    ],
)
def test_the_servers_words_decide_where_a_state_has_two_meanings(
    state: str, message: str, blame: Blame
) -> None:
    """PostgreSQL has one code for a missing function and for a missing operator."""
    assert blame_of(state, message) is blame


def test_a_value_of_a_row_has_no_place_in_the_statement() -> None:
    """'abc' as a number: in a row it is a finding, in the statement or a parameter a mistake."""
    state, message = "22P02", 'invalid input syntax for type integer: "abc"'

    assert blame_of(state, message) is Blame.BACKUP
    assert blame_of(state, message, position="12") is Blame.MISTAKE
    assert blame_of(state, message, context="unnamed portal parameter $1 = '...'") is Blame.MISTAKE
    assert blame_of(state, message, context="PL/pgSQL function f() line 1") is Blame.BACKUP


def test_an_error_without_a_state_is_no_mistake_of_a_statement() -> None:
    """The connection broke, or psycopg refused the call."""
    assert not is_own_mistake(None, None)
    assert not is_own_mistake("", None)
