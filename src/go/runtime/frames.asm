; Frames of the runtime's own functions, as the release's compiler makes them: `enter(n)` checks the
; stack, whose bound the first 128 bytes of a frame may pass, and makes n bytes of room, `leave(n)` returns. Behind a register ABI prologue the arguments'
; spill slots stand at n + 16.
{%- macro enter(room) %}
{%- set deep = room + 8 - 128 %}
{%- if abi == "stack" %}
start:  mov  rcx, gs:[-8]               ; g
{%- if deep > 0 %}
        lea  rax, [rsp - {{ deep }}]
        cmp  rax, [rcx + 16]            ; g.stackguard0
{%- else %}
        cmp  rsp, [rcx + 16]            ; g.stackguard0
{%- endif %}
        jbe  more
{%- else %}
{%- if deep > 0 %}
start:  lea  r12, [rsp - {{ deep }}]
        cmp  r12, [r14 + 16]            ; g.stackguard0
{%- else %}
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
{%- endif %}
        jbe  more
{%- endif %}
{%- if go_minor <= 20 %}
        sub  rsp, {{ room + 8 }}
        mov  [rsp + {{ room }}], rbp
        lea  rbp, [rsp + {{ room }}]
{%- else %}
        push rbp
        mov  rbp, rsp
        sub  rsp, {{ room }}
{%- endif %}
{%- endmacro %}
{%- macro leave(room) %}
{%- if go_minor <= 20 %}
        mov  rbp, [rsp + {{ room }}]
        add  rsp, {{ room + 8 }}
{%- else %}
        add  rsp, {{ room }}
        pop  rbp
{%- endif %}
        ret
{%- endmacro %}
{%- macro grow() %}
{%- if abi == "stack" %}
more:   call "runtime.morestack_noctxt"
{%- else %}
more:   mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        mov  [rsp + 24], rcx
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
        mov  rcx, [rsp + 24]
{%- endif %}
        jmp  start
{%- endmacro %}

