; Frames of Go's functions, as each release's compiler makes them. A function is
;
;       frames.enter(room)           the stack check, and the frame: `room` bytes below the caller's rbp;
;                                    with checked=false without the check, as where nothing is called
;       frames.panicking()           in a wrapper up to Go 1.25: is a panic under way?
;       ...
;       frames.leave(room)           the way back
;       frames.grow(spilled)         below the stack's bound: a larger stack, and again from the start
;       frames.move_panic(room, to)       in a wrapper: a panic of this call's moves to its caller
;
; Above the frame stand rbp and the return address, then the arguments, or, with arguments in registers, the
; room that the caller keeps for them: at room + 16.
{% macro enter(room, checked=true) %}
{% if abi == "stack" %}
start:  mov  rcx, gs:[-8]               ; g
{% endif %}
{% if not checked %}
{% elif abi == "stack" %}
;! part stack-check
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
;! end
{% else %}
;! part stack-check
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
;! end
{% endif %}
{% if go_minor <= 20 %}
        sub  rsp, {{ room + 8 }}
;! part frame-pointer
        mov  [rsp + {{ room }}], rbp
        lea  rbp, [rsp + {{ room }}]
;! end
{% else %}
;! part frame-pointer
        push rbp
        mov  rbp, rsp
;! end
{% if room %}
        sub  rsp, {{ room }}
{% endif %}
{% endif %}
{% endmacro %}

{% macro panicking() %}
{% if go_minor <= 25 %}
;! part panic-check
{% if abi == "stack" %}
        mov  rbx, [rcx + 32]            ; g._panic
        test rbx, rbx
{% else %}
        mov  r12, [r14 + 32]            ; g._panic
        test r12, r12
{% endif %}
        jne  fix
;! end
{% endif %}
{% endmacro %}

{% macro leave(room, nops=0) %}
{% if go_minor <= 20 %}
;! part frame-pointer
        mov  rbp, [rsp + {{ room }}]
;! end
        add  rsp, {{ room + 8 }}
{% else %}
{% if room %}
        add  rsp, {{ room }}
{% endif %}
;! part frame-pointer
        pop  rbp
;! end
{% endif %}
{% for _ in range(nops) %}
        nop                             ; as emitted: no ret may end on a 32-byte boundary
{% endfor %}
        ret
{% endmacro %}

{% macro grow(spilled=["rax"]) %}
;! part stack-check
{% if abi == "stack" %}
more:   call "runtime.morestack_noctxt"
{% else %}
{% set ns = namespace(at=8) %}
more:                                   ; the caller keeps room for register arguments
{% for register in spilled %}
        mov  [rsp + {{ ns.at }}], {{ register }}
{% set ns.at = ns.at + (4 if register[0] == "e" else 8) %}
{% endfor %}
        call "runtime.morestack_noctxt"
{% set ns.at = 8 %}
{% for register in spilled %}
        mov  {{ register }}, [rsp + {{ ns.at }}]
{% set ns.at = ns.at + (4 if register[0] == "e" else 8) %}
{% endfor %}
{% endif %}
        jmp  start
;! end
{% endmacro %}

{% macro move_panic(room, to="check") %}
{% if go_minor <= 25 %}
{% set panic = "rbx" if abi == "stack" else "r12" %}
{% set arguments = "rdi" if abi == "stack" else "r13" %}
;! part panic-check
fix:    lea  {{ arguments }}, [rsp + {{ room + 16 }}]            ; where this call's arguments stand
        cmp  [{{ panic }}], {{ arguments }}                 ; _panic.argp
        jne  {{ to }}
        mov  [{{ panic }}], rsp
        jmp  {{ to }}
;! end
{% endif %}
{% endmacro %}
