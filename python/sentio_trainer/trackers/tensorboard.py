"""TensorBoard's event files, in the folder `tensorboard` of a run.

They are written here record by record: the writer that comes with TensorBoard puts the machine's name into theirs, and
holds events back in a thread.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboard.plugins.text import metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from sentio_trainer.config import LoadedConfig
from sentio_trainer.run_folder import RunFolder
from sentio_trainer.trackers.figures import CONFIG_NAME, circumstances, epoch_figures, final_figures, step_figures
from sentio_trainer.watch import Epoch, Steps

_STRING = 7  # DT_STRING


class TensorBoard:
    def __init__(self, loaded: LoadedConfig, run: RunFolder) -> None:
        folder = run.folder / "tensorboard"
        folder.mkdir(exist_ok=True)
        self._run = run
        self._loaded = loaded
        self._step = 0
        # TensorBoard reads the files of a folder by name.
        self._writer = RecordWriter((folder / f"events.out.tfevents.{time.time_ns()}").open("xb"))
        self._write(file_version="brain.Event:2")

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del epochs
        self._step = step
        if step > 0:
            # What other files hold of this step and later ones is void.
            self._write(step=step + 1, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
        self._write_text(CONFIG_NAME, f"```yaml\n{self._loaded.to_yaml()}```")
        told = circumstances(self._run.document)
        self._write_text("run", "\n".join(f"- {name}: {value}" for name, value in told.items()))

    def on_steps(self, steps: Steps) -> None:
        self._write_figures(steps.step, step_figures(steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self._write_figures(epoch.step, epoch_figures(epoch))

    def close(self, status: str) -> None:
        document = self._run.document
        self._write_figures(self._step, final_figures(document))
        self._write_text("status", status if document["verdict"] is None else f"{status}: {document['verdict']}")
        self._writer.close()

    def _write_figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._step = step
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(step=step, summary=summary_pb2.Summary(value=values))

    def _write_text(self, name: str, text: str) -> None:
        shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
        tensor = tensor_pb2.TensorProto(dtype=_STRING, string_val=[text.encode()], tensor_shape=shape)
        about = metadata.create_summary_metadata(display_name=name, description="")
        value = summary_pb2.Summary.Value(tag=name, tensor=tensor, metadata=about)
        self._write(step=self._step, summary=summary_pb2.Summary(value=[value]))

    def _write(self, **content: Any) -> None:
        self._writer.write(event_pb2.Event(wall_time=time.time(), **content).SerializeToString())
        self._writer.flush()
