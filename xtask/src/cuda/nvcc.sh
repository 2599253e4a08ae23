#!/bin/sh
# nvcc without kernels of candle that asap never calls; `cargo xtask cuda setup` made this.
if [ "${CARGO_PKG_NAME-}" = candle-kernels ]; then
    source='' folder='' output='' before=''
    for word; do
        case $word in *.cu) source=$word ;; esac
        case $before in
            -o) output=$word ;;
            --output-directory) folder=$word ;;
        esac
        before=$word
    done
    case $source in
        @SOURCES@)
            if [ -n "$folder" ]; then
                name=${source##*/}
                : >"$folder/${name%.cu}.ptx"
            else
                cp @OBJECT@ "$output"
            fi
            exit
            ;;
    esac
fi
exec @NVCC@ "$@"
