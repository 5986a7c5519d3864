"""What the checks of MLflow share."""

from checks import expect


def refused(work, code="PERMISSION_DENIED", says=""):
    """The work must fail with this error of MLflow's own, not with a page, a redirect or a timeout."""
    from mlflow.exceptions import MlflowException, RestException

    try:
        work()
    except RestException as error:
        expect(error.error_code == code, f"error_code {error.error_code}: {error}")
        expect(says in str(error), str(error))
        return error
    except MlflowException as error:
        expect(error.error_code == code, f"error_code {error.error_code}: {error}")
        return error
    raise AssertionError("it was not refused")
