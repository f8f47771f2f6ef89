; Frames of the runtime's own functions, as the release's compiler makes them: `enter(n)` checks the
; stack and makes n bytes of room, `leave(n)` returns. Behind a register ABI prologue the arguments'
; spill slots stand at n + 16.
{%- macro enter(room) %}
{%- if abi == "stack" %}
start:  mov  rcx, gs:[-8]               ; g
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
        sub  rsp, {{ room + 8 }}
        mov  [rsp + {{ room }}], rbp
        lea  rbp, [rsp + {{ room }}]
{%- elif go_minor <= 20 %}
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
        sub  rsp, {{ room + 8 }}
        mov  [rsp + {{ room }}], rbp
        lea  rbp, [rsp + {{ room }}]
{%- else %}
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
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

