#!/bin/sh
# The main job, end to end: bars, features, training, artifact, backtest. Called by `make demo`.
set -eu

symbol=$1
days=$2
bars=$3

if [ -z "$bars" ]; then
  bars=data/equities/${symbol}_NH.csv
  echo "== A synthetic market: $bars"
  sentio data synth --symbol "$symbol" --out "$bars"
fi
echo
echo "== Training on $bars"
python train_models.py --config configs/tfa.yaml --set data.symbol="$symbol" --set data.bars_csv="$bars" --overwrite
echo
echo "== The last $days days in C++"
sentio_cli tpa_test "$symbol" --strategy tfa --days "$days" --bars "$bars"
