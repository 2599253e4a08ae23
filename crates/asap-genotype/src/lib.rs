//! Vocabulary of cell search spaces: operations, edges, nodes, cells, topologies and genotypes.
