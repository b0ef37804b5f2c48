from .ethos_u import profile_ethos_u as profile_ethos_u
from .ethos_u_record import EthosUProfile as EthosUProfile
from .export.config import ExportMicro as ExportMicro
from .export.export import export_micro as export_micro
from .profile import profile_micro as profile_micro
from .record import MicroProfile as MicroProfile
