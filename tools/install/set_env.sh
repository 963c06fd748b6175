# Sets the environment for building and running programs with this SDK, wherever it was copied to:  . SDK/set_env.sh
# Works in bash and zsh; other shells set OMKIT_HOME to the SDK's folder first.
if [ -n "${BASH_SOURCE:-}" ]; then
  omkit_script=${BASH_SOURCE}
elif [ -n "${ZSH_VERSION:-}" ]; then
  eval 'omkit_script=${(%):-%x}'
else
  omkit_script=
fi
if [ -n "$omkit_script" ]; then
  OMKIT_HOME=$(cd "$(dirname "$omkit_script")" && pwd -P)
fi
unset omkit_script

if [ ! -e "${OMKIT_HOME:-}/omkit_sdk.txt" ]; then
  echo "set_env.sh: OMKIT_HOME='${OMKIT_HOME:-}' is not an omkit SDK" >&2
else
  export OMKIT_HOME
  export ASCEND_HOME_PATH=$OMKIT_HOME
  export ASCEND_TOOLKIT_HOME=$OMKIT_HOME
  export DDK_PATH=$OMKIT_HOME
  export NPU_HOST_LIB=$OMKIT_HOME/lib64
  case ":$PATH:" in
    *":$OMKIT_HOME/bin:"*) ;;
    *) export PATH=$OMKIT_HOME/bin:$PATH ;;
  esac
  case ":${PYTHONPATH:-}:" in
    *":$OMKIT_HOME/python:"*) ;;
    *) export PYTHONPATH=$OMKIT_HOME/python${PYTHONPATH:+:$PYTHONPATH} ;;
  esac
  case ":${CMAKE_PREFIX_PATH:-}:" in
    *":$OMKIT_HOME:"*) ;;
    *) export CMAKE_PREFIX_PATH=$OMKIT_HOME${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH} ;;
  esac
  case ":${PKG_CONFIG_PATH:-}:" in
    *":$OMKIT_HOME/share/pkgconfig:"*) ;;
    *) export PKG_CONFIG_PATH=$OMKIT_HOME/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} ;;
  esac
  case ":${LD_LIBRARY_PATH:-}:" in
    *":$OMKIT_HOME/lib64:"*) ;;
    *) export LD_LIBRARY_PATH=$OMKIT_HOME/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
  esac
fi
