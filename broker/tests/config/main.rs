//! Configs: how they are read, checked, altered and shown, and whether they are those of a stock broker.

mod alter;
mod listeners;
mod load;
mod reference;
mod stock;
