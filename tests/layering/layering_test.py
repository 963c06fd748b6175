#!/usr/bin/env python3
import os
import sys
import tempfile
import unittest

HERE = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
sys.path.insert(0, os.path.join(HERE, "tests/layering"))
import layering  # noqa: E402


def check(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as out:
                out.write(text)
        return layering.check(root)


class Layering(unittest.TestCase):
    def test_the_tree_keeps_its_floors(self):
        root = os.path.dirname(os.path.realpath(os.path.join(HERE, "bazelw")))
        self.assertTrue(os.path.isdir(os.path.join(root, "base")), root)
        errors = layering.check(root)
        self.assertFalse(errors, "\n" + "\n".join(errors))

    def test_floors(self):
        for path, name, allowed in [
            ("base/a.cc", "base/b.h", True),
            ("base/a.cc", "ir/graph.h", False),
            ("ir/a.h", "runtime/program.h", False),
            ("runtime/a.cc", "ir/graph.h", False),
            ("runtime/acl/a.cc", "runtime/program.h", True),
            ("passes/a.cc", "frontends/frontend.h", False),
            ("frontends/onnx/a.cc", "passes/pass.h", False),
            ("frontends/onnx/a.cc", "ir/graph.h", True),
            ("backends/compile.cc", "passes/pass.h", True),
            ("backends/compile.cc", "tools/atc/flags.h", False),
            ("tools/atc/main.cc", "backends/compile.h", True),
            ("base/a.cc", "absl/status/status.h", True),
            ("base/a.cc", "tests/t.h", False),
            ("ir/a_test.cc", "tests/t.h", True),
            ("tests/a.cc", "tools/atc/flags.h", True),
        ]:
            self.assertEqual(not check({path: '#include "%s"\n' % name}), allowed, (path, name))

    def test_run_side_needs_no_compiler(self):
        for path, name, allowed in [
            ("backends/npu_int8/run_conv.cc", "ir/graph.h", False),
            ("backends/npu_int8/lower_conv.cc", "ir/graph.h", True),
            ("backends/npu_int8/run_conv.cc", "runtime/kernel.h", True),
            ("backends/reference/run_ops.cc", "ir/op.h", True),
            ("backends/kernels/conv_u8/conv_u8.cc", "passes/pass.h", False),
            ("backends/kernels/conv_u8/test.cc", "ir/op.h", True),
        ]:
            self.assertEqual(not check({path: '#include "%s"\n' % name}), allowed, (path, name))

    def test_run_side_sees_through_headers(self):
        errors = check({
            "backends/npu_int8/run_conv.cc": '#include "backends/npu_int8/steps.h"\n',
            "backends/npu_int8/steps.h": '#include "ir/graph.h"\n',
        })
        self.assertEqual(len(errors), 1)
        self.assertIn("run_conv.cc -> backends/npu_int8/steps.h -> ir/graph.h", errors[0])

    def test_model_formats_stay_in_the_frontends(self):
        self.assertTrue(check({"runtime/a.cc": '#include "onnx/onnx-ml.pb.h"\n'}))
        self.assertFalse(check({"frontends/onnx/a.cc": '#include "onnx/onnx-ml.pb.h"\n'}))


if __name__ == "__main__":
    unittest.main()
