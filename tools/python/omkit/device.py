"""The process's hold on the device: one acl.init and one context for all sessions."""
import threading

import acl

ACL_ERROR_REPEAT_INITIALIZE = 100002

_lock = threading.Lock()
_contexts = {}  # device -> context


class AclError(RuntimeError):
    """A call of the C API failed; `code` is its aclError."""

    def __init__(self, action, code):
        message = acl.get_recent_err_msg()
        super().__init__(f'{action} failed with {code}: {message}' if message else f'{action} failed with aclError {code}')
        self.code = code


def check(code, action):
    """Raises AclError unless the code is ACL_SUCCESS."""
    if code != 0:
        raise AclError(action, code)


def enter(device, acl_json_path=None):
    """Starts the library once, makes the device's context the calling thread's, and returns it."""
    with _lock:
        if device not in _contexts:
            code = acl.init(acl_json_path)
            if code != ACL_ERROR_REPEAT_INITIALIZE:
                check(code, 'acl.init')
            check(acl.rt.set_device(device), f'acl.rt.set_device({device})')
            _contexts[device], code = acl.rt.get_context()
            check(code, 'acl.rt.get_context')
        context = _contexts[device]
    check(acl.rt.set_context(context), 'acl.rt.set_context')
    return context


def leave():
    """Gives all devices back and stops the library. Sessions must have been freed."""
    with _lock:
        for device, context in _contexts.items():
            acl.rt.set_context(context)
            acl.rt.reset_device(device)
        if _contexts:
            acl.finalize()
        _contexts.clear()
