"""What the checks share: a check is a function; each prints one line that says how it went."""

import json
import traceback


def check(what):
    def run(work):
        try:
            work()
            print(json.dumps({"check": what, "ok": True}), flush=True)
        except Exception as error:
            trace = traceback.format_exc(limit=-3)
            print(json.dumps({"check": what, "ok": False, "error": f"{error!r}"[:600] + "\n" + trace[-900:]}), flush=True)

    return run


def expect(condition, message="not so"):
    if not condition:
        raise AssertionError(message)


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
