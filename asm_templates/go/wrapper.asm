; The wrapper that makes a value method callable through a pointer, of a receiver of one word that takes no
; other argument. A nil receiver goes to runtime.panicwrap, which finds the names for its message in the symbol
; of its caller.
;
;       wrapper.calling(method)      checks the stack, checks the receiver for nil, copies it and calls the method
;       wrapper.inlined(step)        the method is small, and its body stands here: it adds `step` to the receiver
;       wrapper.opens()              what stands in front of such a body, whatever it does: frame and check for nil
;       wrapper.closes()             and what stands behind it
;
; Go 1.10, 1.19 and 1.25 to 1.27 inline a method that they would inline elsewhere. Nothing is called then, so that
; there is no stack check. Go 1.19 calls it all the same where the itab is one of a package's variable.
;
; Up to Go 1.25 it also tests g._panic (offset 32): where a panic is under way and its argument pointer is
; this call's, it is moved, so that recover() works through the wrapper.
{% import "frames.asm" as frames %}
{% macro nil() %}
;! part nil-check
nil:    call "runtime.panicwrap"
        {{ "ud2" if abi == "stack" else "nop" }}                             ; the return address has to lie inside the function
;! end
{% endmacro %}

{% macro test_nil() %}
;! part nil-check
        test rax, rax
        je   nil
;! end
{% endmacro %}

{% macro opens() %}
{{ frames.enter(0, checked=false) }}
{{ frames.panicking() }}
check:
{% if abi == "stack" %}
        mov  rax, [rsp + 16]            ; the receiver
{% endif %}
{{ test_nil() }}
{% endmacro %}

{% macro closes() %}
{{ frames.leave(0) }}
{{ nil() }}
{{ frames.move_panic(0) }}
{% endmacro %}

{% macro inlined(step) %}
{{ opens() }}
;! part copy
        mov  eax, [rax]                 ; its copy
;! end
        add  eax, {{ step }}                      ; the method
{% if abi == "stack" %}
        mov  [rsp + 24], eax
{% endif %}
{{ closes() }}
{% endmacro %}

{% macro calling(method, is_padded=true) %}
{% set room = 16 if abi == "stack" else 8 %}
{{ frames.enter(room) }}
{{ frames.panicking() }}
check:
{% if abi == "stack" %}
        mov  rax, [rsp + 32]            ; the receiver
{% endif %}
{{ test_nil() }}
;! part copy
        mov  eax, [rax]                 ; the copy of the receiver
{% if abi == "stack" %}
        mov  [rsp], eax
{% endif %}
;! end
{% if abi == "register" and go_minor <= 25 and is_padded %}
        xchg ax, ax                     ; as emitted: no call may cross a 32-byte boundary
{% endif %}
        call "{{ method }}"
{% if abi == "stack" %}
        mov  eax, [rsp + 8]
        mov  [rsp + 40], eax
{% endif %}
{{ frames.leave(room, 1 if go_minor > 25 and is_padded else 0) }}
{{ nil() }}
{{ frames.grow() }}
{{ frames.move_panic(room) }}
{% endmacro %}
