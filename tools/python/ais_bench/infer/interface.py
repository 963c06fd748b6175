"""from ais_bench.infer.interface import InferSession"""
from omkit.infer_session import InferSession, MemorySummary, MultiDeviceSession

__all__ = ['InferSession', 'MemorySummary', 'MultiDeviceSession']
