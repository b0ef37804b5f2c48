"""Knowledge distillation: a model learns from a better one's outputs, with or without labels.

The student is trained on the distance D between its outputs z and the teacher's t, beside its own
loss on the labels y:

    w L(y, z) + λ D(t, z),    D = T² KL(softmax(t / T) ‖ softmax(z / T)) unless another is chosen

Reference: Hinton et al. 2015, arXiv:1503.02531. Each distance cites its own paper, in
`training/teaching/losses.py`.

Files:
    distill.py: the verb `distill`, and the same as a step of a recipe.
    comparison.py: student beside teachers on the validation part: quality, distance, agreement.
    record.py, tables.py, command.py: what was done, how it is shown, and `tflite-squeeze distill`.

The config, `Distill`, and the teaching itself (distances, hints, teachers, cached answers) are in
`training/`, since every technique can recover its accuracy with a teacher:
`FineTune(teacher="original")`. There are no claims: nothing in a file shows who taught it. The
callback is a model instead, `Distiller`, whose `fit` is Keras's own.

It pays in accuracy at the same size and speed, most where labels are few, and makes training
possible where there are none. It makes nothing smaller by itself, and gains little where the
student already answers like its teacher.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="distill",
    summary="Train a student on a teacher's outputs, with or without labels.",
    package=__name__,
    config="tflite_squeeze.training.config:Distill",
    verb=".distill:distill",
    step=".distill:distill_from_original",
    record=".record:DistillRecord",
    command=".command:distill_command",
    undoes={"shared values": "training moves weights off their shared values"},
    trains=True,
    aliases=("knowledge distillation", "teacher-student training"),
)
