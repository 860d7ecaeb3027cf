"""The data set that the tests share: small, quick, no gmsh."""

TINY = {
    "family": {"corners": {"cells": 6, "cuts": [0, 4], "sides": [1, 2]}},
    "equation": "heat",
    "source": {"waves": {"amplitude": 5}},
    "conditions": {
        "outer": {"one_of": [{"dirichlet": {"waves": 1}}, {"robin": {"coefficient": {"log_uniform": [0.1, 10]}}}]}
    },
}
COUNT = 40
