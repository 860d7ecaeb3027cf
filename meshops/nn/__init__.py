"""Parts that operators share."""

from meshops.nn.attention import SliceAttention, through_slices
from meshops.nn.bistride import Stride, bistride
from meshops.nn.boundary import BoundaryTransformer, Padding
from meshops.nn.chain import Chain
from meshops.nn.edgewise import degree, messages
from meshops.nn.features import (
    edge_features,
    edge_width,
    held_width,
    log_mass,
    node_features,
    node_width,
    relative,
    theta_of_nodes,
)
from meshops.nn.fields import boundary_distance, gradient, smooth
from meshops.nn.graph_network import EdgeMLP, GraphNetwork
from meshops.nn.kernel import Kernel, KernelLayer, integrate, quadrature
from meshops.nn.latent_grid import LatentGrid
from meshops.nn.linear_attention import LinearAttention
from meshops.nn.message_passing import MessagePassing
from meshops.nn.mlp import MLP
from meshops.nn.neighbors import Neighbors, edge_lengths, symmetric_weights, weigh_images
from meshops.nn.per_graph import instance_norm, outer_sum, read, share
from meshops.nn.products import Linear, linear
from meshops.nn.spectral import SpectralConv
from meshops.nn.tuned import plain_forms, tuned

__all__ = [
    "MLP",
    "BoundaryTransformer",
    "Chain",
    "EdgeMLP",
    "GraphNetwork",
    "Kernel",
    "KernelLayer",
    "LatentGrid",
    "Linear",
    "LinearAttention",
    "MessagePassing",
    "Neighbors",
    "Padding",
    "SliceAttention",
    "SpectralConv",
    "Stride",
    "bistride",
    "boundary_distance",
    "degree",
    "edge_features",
    "edge_lengths",
    "edge_width",
    "gradient",
    "held_width",
    "instance_norm",
    "integrate",
    "linear",
    "log_mass",
    "messages",
    "node_features",
    "node_width",
    "outer_sum",
    "plain_forms",
    "quadrature",
    "read",
    "relative",
    "share",
    "smooth",
    "symmetric_weights",
    "theta_of_nodes",
    "through_slices",
    "tuned",
    "weigh_images",
]
