//! A server that imitates the documented service, to rehearse against. Imports nothing of the rest.
