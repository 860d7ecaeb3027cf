"""Parts that operators share."""

from meshops.nn.attention import SliceAttention
from meshops.nn.boundary import BoundaryTransformer, Padding
from meshops.nn.features import edge_features, edge_width, log_mass, node_features, node_width, relative
from meshops.nn.fields import boundary_distance, gradient, smooth
from meshops.nn.graph_network import EdgeMLP, GraphNetwork
from meshops.nn.message_passing import MessagePassing
from meshops.nn.mlp import MLP

__all__ = [
    "MLP",
    "BoundaryTransformer",
    "EdgeMLP",
    "GraphNetwork",
    "MessagePassing",
    "Padding",
    "SliceAttention",
    "boundary_distance",
    "edge_features",
    "edge_width",
    "gradient",
    "log_mass",
    "node_features",
    "node_width",
    "relative",
    "smooth",
]
