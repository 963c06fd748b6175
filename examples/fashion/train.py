#!/usr/bin/python3
"""Trains the Fashion-MNIST example and writes fashion_fp32.onnx and fashion_qat.onnx (with --qat-opsets: fashion_qat_op<N>.onnx).

  apt-get install --no-install-recommends python3-torch python3-numpy dataset-fashion-mnist
  /usr/bin/python3 train.py --out .

FP32 training comes first; then the same weights are fine-tuned with fake quantization (torch FX QAT) and exported as QDQ.
The two files are written exactly as torch exports them. Input: f32[N,1,28,28] of (x/255 - 0.2860)/0.3530, output: 10 logits.
"""
import argparse
import gzip
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.ao.quantization import (FakeQuantize, MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver, QConfig,
                                   QConfigMapping, disable_observer)
from torch.ao.quantization.quantize_fx import prepare_qat_fx
from torch.nn.intrinsic.qat import freeze_bn_stats

MEAN, STD = 0.2860, 0.3530


def conv_bn(cin, cout, kernel, stride=1, groups=1, relu=True):
    layers = [nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def separable(cin, cout, stride=1, relu=True):
    return nn.Sequential(conv_bn(cin, cin, 3, stride, groups=cin), conv_bn(cin, cout, 1, relu=relu))


class Residual(nn.Module):
    """relu(x + body(x)); the body keeps the shape and ends without a ReLU."""

    def __init__(self, body):
        super().__init__()
        self.body = body
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.body(x))


class FashionNet(nn.Module):
    """28x28 stem, one full 3x3 residual block at 14x14, two separable residual blocks at 7x7."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            conv_bn(1, 24, 3),
            separable(24, 48, stride=2),
            Residual(nn.Sequential(conv_bn(48, 48, 3), conv_bn(48, 48, 3, relu=False))),
            separable(48, 96, stride=2),
            Residual(separable(96, 96, relu=False)),
            Residual(separable(96, 96, relu=False)),
            conv_bn(96, 128, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, 10)

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


def load(folder, split):
    """Images u8[N,1,28,28] and labels i64[N] of one IDX pair."""
    with gzip.open(os.path.join(folder, f'{split}-images-idx3-ubyte.gz')) as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28).copy()
    with gzip.open(os.path.join(folder, f'{split}-labels-idx1-ubyte.gz')) as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8).astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)


def normalise(images):
    return (images.float() / 255 - MEAN) / STD


def augment(x, rng):
    """Mirrors half of the images and moves the whole batch by up to 2 pixels."""
    flip = torch.from_numpy(rng.random(len(x)) < 0.5)
    x[flip] = x[flip].flip(3)
    dy, dx = rng.integers(0, 5, 2)
    return F.pad(x, (2, 2, 2, 2))[:, :, dy:dy + 28, dx:dx + 28]


@torch.no_grad()
def top1(model, images, labels):
    model.eval()
    right = sum((model(normalise(x)).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500)))
    return 100.0 * right / len(labels)


def fit(model, train, test, epochs, peak_lr, rng, args, on_epoch=lambda epoch: None):
    images, labels = train
    steps = len(images) // args.batch
    optimizer = torch.optim.SGD(model.parameters(), lr=peak_lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_lr, total_steps=epochs * steps, pct_start=0.25)
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        model.train()
        on_epoch(epoch)
        order = torch.from_numpy(rng.permutation(len(images)))
        for step in range(steps):
            pick = order[step * args.batch:(step + 1) * args.batch]
            loss = F.cross_entropy(model(normalise(augment(images[pick], rng))), labels[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            if args.verbose and step % 20 == 0:
                print(f'  step {step} loss {loss.item():.3f} {time.time() - start:.0f} s', flush=True)
        print(f'epoch {epoch + 1}/{epochs} loss {total / steps:.4f} test top-1 {top1(model, *test):.2f} %'
              f' {time.time() - start:.0f} s', flush=True)


def add_fake_quant(model):
    """u8 per-tensor activations and s8 per-channel weights; the ranges are the full ones because the exporter takes no others."""
    activation = FakeQuantize.with_args(observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8)
    weight = FakeQuantize.with_args(observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127,
                                    dtype=torch.qint8, qscheme=torch.per_channel_symmetric, ch_axis=0)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    return prepare_qat_fx(model.train(), mapping, (torch.zeros(1, 1, 28, 28),))


def export(model, path, opset=17):
    torch.onnx.export(model.eval(), torch.zeros(1, 1, 28, 28), path, opset_version=opset, input_names=['input'],
                      output_names=['logits'], dynamic_axes={'input': {0: 'N'}, 'logits': {0: 'N'}})
    print(f'wrote {path} {os.path.getsize(path)} bytes')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', default='/usr/share/datasets/fashion-mnist', help='folder of the four IDX .gz files')
    parser.add_argument('--out', default='.', help='where the two .onnx files go')
    parser.add_argument('--epochs', type=int, default=14)
    parser.add_argument('--qat-epochs', type=int, default=1)
    parser.add_argument('--qat-opsets', type=int, nargs='+', help='write one fashion_qat_op<N>.onnx for each instead of fashion_qat.onnx')
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--lr', type=float, default=0.2, help='peak learning rate of the FP32 training')
    parser.add_argument('--qat-lr', type=float, default=0.01)
    parser.add_argument('--train-images', type=int, default=60000, help='use only the first N (a quick try)')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--weights', help='FP32 weights: loaded when the file exists (FP32 training is skipped), else saved there')
    parser.add_argument('--verbose', action='store_true')
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    train = tuple(t[:args.train_images] for t in load(args.data, 'train'))
    test = load(args.data, 't10k')
    os.makedirs(args.out, exist_ok=True)

    model = FashionNet()
    print(f'{sum(p.numel() for p in model.parameters())} parameters')
    if args.weights and os.path.exists(args.weights):
        model.load_state_dict(torch.load(args.weights))
    else:
        fit(model, train, test, args.epochs, args.lr, np.random.default_rng(args.seed), args)
        if args.weights:
            torch.save(model.state_dict(), args.weights)
    print(f'FP32 test top-1 {top1(model, *test):.2f} %')
    export(model, os.path.join(args.out, 'fashion_fp32.onnx'))

    qat = add_fake_quant(model)
    fit(qat, train, test, args.qat_epochs, args.qat_lr, np.random.default_rng(args.seed + 1), args,
        on_epoch=lambda epoch: qat.apply(freeze_bn_stats))
    qat.apply(disable_observer)
    print(f'QAT test top-1 {top1(qat, *test):.2f} %')
    if not args.qat_opsets:
        export(qat, os.path.join(args.out, 'fashion_qat.onnx'))
    for opset in args.qat_opsets or ():
        export(qat, os.path.join(args.out, f'fashion_qat_op{opset}.onnx'), opset)


if __name__ == '__main__':
    main()
