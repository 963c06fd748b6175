"""omkit: offline models from Python.

    import omkit
    scores, = omkit.run_om_model("net.om", [pixels])

    net = omkit.InferSession(0, "net.om")          # keeps the model loaded; the interface of ais_bench
    scores, = net.infer([pixels])

    print(omkit.verify("net.om", [pixels], expected=[scores_of_onnx_runtime]))

The module `acl`, beside this package, is the whole C API in pyACL's forms.
"""
from omkit.device import AclError
from omkit.infer_session import InferSession, MemorySummary, MultiDeviceSession
from omkit.session import Session
from omkit.tensors import TensorDesc
from omkit.verify import compare, cosine, verify

__all__ = ['AclError', 'InferSession', 'MemorySummary', 'MultiDeviceSession', 'Session', 'TensorDesc', 'compare', 'cosine', 'run_om_model', 'verify']
__version__ = '1.0.0'


def run_om_model(path, arrays, device_id=0):
    """Loads a model, runs it once on a list of arrays (or a dict by input name), unloads it; returns the list of outputs."""
    with Session(device_id, path) as session:
        if isinstance(arrays, dict):
            unknown = sorted(set(arrays) ^ {t.name for t in session.inputs})
            if unknown:
                raise ValueError(f"inputs {unknown}; the model's are {[t.name for t in session.inputs]}")
            arrays = [arrays[t.name] for t in session.inputs]
        return session.run(arrays)
